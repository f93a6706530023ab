"""One file a DVC stage. Each runs as a process of its own, where libraries are to keep quiet."""

import os
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TQDM_DISABLE", "1")  # the bars of converters, many a second in a log
warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors")
