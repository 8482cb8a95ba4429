"""Process 1 of the image `bundled`: supervisord, which also starts where no folder can be written."""

import tempfile

from supervisor.supervisord import main

# supervisord asks for the folder of temporary files, for log files that we do not have, and ends if there is none.
tempfile.tempdir = "/"
main(["-c", "/opt/token-monitor/supervisord.conf"])
