"""Training of the shape autoencoder, the base denoiser with its image encoder, and the spatiotemporal adapter."""
