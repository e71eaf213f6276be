//go:build linux && !race

package hostile

// slack is what is not the script's: memory of Go that is not given back yet, and that of the clients.
var slack = map[string]int64{"embedded": 8 << 20, "node": 8 << 20}
