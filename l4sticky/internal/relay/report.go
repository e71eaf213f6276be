package relay

import (
	"sync/atomic"
	"time"
)

// acceptPause is how long nothing is accepted when the process has no descriptors left.
const acceptPause = 50 * time.Millisecond

// Report is what becomes of errors that belong to no connection, such as that there are no descriptors left. It must
// be set before anything else of the package is used. It is called at most once a second.
var Report = func(doing string, err error) {}

var lastReport atomic.Int64

func report(doing string, err error) {
	now := int64(time.Second + time.Since(began)) // so that the first error is told, too
	last := lastReport.Load()
	if now-last >= int64(time.Second) && lastReport.CompareAndSwap(last, now) {
		Report(doing, err)
	}
}
