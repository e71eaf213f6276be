package embedded

import (
	"strconv"
	"time"

	"github.com/dop251/goja"
	"golang.org/x/text/collate"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

func (e *engine) localeBinding() map[string]any {
	collators := make(map[string]*collate.Collator)
	return map[string]any{
		"decimal": func(value float64) string { return strconv.FormatFloat(value, 'f', -1, 64) },
		"moment": func(call goja.FunctionCall) goja.Value {
			zone := time.Local
			if name := call.Argument(1); !goja.IsUndefined(name) {
				var err error
				if zone, err = time.LoadLocation(name.String()); err != nil || name.String() == "" || name.String() == "Local" {
					return goja.Null()
				}
			}
			return e.moment(time.UnixMilli(call.Argument(0).ToInteger()).In(zone))
		},
		"compare": func(a, b, sensitivity string, numeric bool) int {
			key := sensitivity + strconv.FormatBool(numeric)
			collator := collators[key]
			if collator == nil {
				collator = newCollator(sensitivity, numeric)
				collators[key] = collator
			}
			return collator.CompareString(norm.NFD.String(a), norm.NFD.String(b))
		},
	}
}

// moment is what a clock and a calendar show.
func (e *engine) moment(at time.Time) *goja.Object {
	shown := e.vm.NewObject()
	for name, value := range map[string]int{
		"year": at.Year(), "month": int(at.Month()), "day": at.Day(), "weekday": int(at.Weekday()),
		"hour": at.Hour(), "minute": at.Minute(), "second": at.Second(),
	} {
		_ = shown.Set(name, value)
	}
	return shown
}

func newCollator(sensitivity string, numeric bool) *collate.Collator {
	var options []collate.Option
	if numeric {
		options = append(options, collate.Numeric)
	}
	switch sensitivity {
	case "base":
		options = append(options, collate.Loose)
	case "accent":
		options = append(options, collate.IgnoreCase, collate.IgnoreWidth)
	}
	return collate.New(language.Und, options...)
}
