"""What the pipeline's tests run on: Nextflow, a one-node Slurm, container engines, an image."""
