package eventloop

import (
	"fmt"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/loglimit"
)

// ShortagePause is how long nothing is accepted or dialled when the process has no descriptors left.
const ShortagePause = 50 * time.Millisecond

// Reporter is what becomes of errors that belong to no connection, such as that there are no descriptors left. It must
// be set before anything else of the package is used. It is called once a second at most, and then once more with how
// many errors were left out.
var Reporter = func(doing string, err error) {}

var reports = loglimit.Limiter{Lines: 1, LeftOut: func(lines int) {
	Reporter("leaving errors out of the log", fmt.Errorf("%d more like the one before", lines))
}}

// Report tells the Reporter of an error.
func Report(doing string, err error) {
	if reports.Admit() {
		Reporter(doing, err)
	}
}
