"""One file a DVC stage. Each runs as a process of its own, where libraries are to keep quiet."""

import os
import sys
import warnings

from pocketear.base.process import DEBUG, drop_chatter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# its threads spin while they wait for each other, over matrices too small to share
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")  # the bars of converters, many a second in a log
warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors")
# `python -m pocketear.stages.NAME` is here before it has found NAME, and all that NAME imports
if sys.argv[0] == "-m" and DEBUG not in os.environ:
    drop_chatter()
