module oracle

go 1.24

require github.com/evilmonkeyinc/jsonpath v0.8.1
