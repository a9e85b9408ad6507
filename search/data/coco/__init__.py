"""COCO: instance and panoptic annotations as classes of PASCAL VOC."""
