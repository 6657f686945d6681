-- evalua retry: runs what failed in a run once more; an old result goes when a new one is there.

return require("evalua.cli.again").run("retry", "failed", ...)
