"""From generated meshes to the plate: the pose in the video, and one topology for the whole sequence."""
