module tidegate/oracle/avro

go 1.23

require github.com/linkedin/goavro/v2 v2.12.0

require github.com/golang/snappy v0.0.1 // indirect
