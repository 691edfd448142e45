module tidegate/oracle/expr

go 1.23

require (
	github.com/antonmedv/expr v1.15.5
	github.com/expr-lang/expr v1.17.6
)
