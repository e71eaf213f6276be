//go:build !linux

package legacy

// On systems other than Linux, processes are told apart by their PID alone, and the folder of instances is not locked.

func startOf(int) string { return "" }

func network() string { return "" }

func lock(string) (unlock func()) { return func() {} }

func closeOnExec() {}
