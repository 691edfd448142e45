module tidegate/oracle/regex

go 1.22
