"""Networks of timm as encoders of ours."""
