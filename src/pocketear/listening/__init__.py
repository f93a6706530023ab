"""listening: scores of successive windows enter; events leave."""
