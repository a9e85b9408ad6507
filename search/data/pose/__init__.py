"""Persons with their joints: files of COCO and MPII, boxes of detectors, crops."""
