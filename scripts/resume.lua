-- evalua resume: finishes a run that was interrupted; only (item, trial) pairs without a result run.

return require("evalua.cli.again").run("resume", "missing", ...)
