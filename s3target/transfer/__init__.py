"""Moving bytes between files and a store: the plan of parts, a pool of threads, upload, download, copy.

Nothing is imported here: whoever copies needs no upload, and whoever uploads needs no download.
"""
