//go:build linux && race

package hostile

// slack is what is not the script's: memory of Go that is not given back yet, and that of the clients. The race detector takes
// much besides.
var slack = map[string]int64{"embedded": 64 << 20, "node": 8 << 20}
