"""The paper's own tests, reproduced: they gate nothing."""
