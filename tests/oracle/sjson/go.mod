module tidegate/oracle/sjson

go 1.23

require github.com/tidwall/sjson v1.2.5

require (
	github.com/tidwall/gjson v1.19.0 // indirect
	github.com/tidwall/match v1.1.1 // indirect
	github.com/tidwall/pretty v1.2.0 // indirect
)
