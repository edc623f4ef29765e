"""Fine-tuning on accelerate, exact to the bit on a CPU, writing the run folder as it goes."""
