package relay

import (
	"fmt"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/loglimit"
)

// acceptPause is how long nothing is accepted when the process has no descriptors left.
const acceptPause = 50 * time.Millisecond

// Report is what becomes of errors that belong to no connection, such as that there are no descriptors left. It must
// be set before anything else of the package is used. It is called once a second at most, and then once more with how
// many errors were left out.
var Report = func(doing string, err error) {}

var reports = loglimit.Limiter{Lines: 1, LeftOut: func(lines int) {
	Report("leaving errors out of the log", fmt.Errorf("%d more like the one before", lines))
}}

func report(doing string, err error) {
	if reports.Admit() {
		Report(doing, err)
	}
}
