"""What only a CUDA device can show: run by `make gpu-check`, whose dry run takes the same steps on the CPU."""
