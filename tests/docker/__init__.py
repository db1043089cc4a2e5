"""Tests of the image's scripts; those of the image itself are in docker/test_image.py."""
