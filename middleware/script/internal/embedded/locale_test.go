package embedded

import "testing"

// The methods for locales are Node's in English, and throw for what takes Intl.
func TestLocales(t *testing.T) {
	expressions(t, nil, `
		const moments = [new Date(Date.UTC(2024, 1, 9, 0, 5, 7)), new Date(Date.UTC(2024, 10, 19, 15, 45, 59))];
		const each = (options, name = 'toLocaleString', locale = 'en-US') => moments.map((d) => d[name](locale, { timeZone: 'UTC', ...options }));
		const numbers = (list, options) => list.map((n) => n.toLocaleString('en-US', options));
		const sorted = (list, options) => list.sort((a, b) => a.localeCompare(b, undefined, options));`, [][2]string{
		{`each()`, `["2/9/2024, 12:05:07 AM","11/19/2024, 3:45:59 PM"]`},
		{`[each({}, 'toLocaleDateString', []), each({}, 'toLocaleTimeString', undefined)]`, `[["2/9/2024","11/19/2024"],["12:05:07 AM","3:45:59 PM"]]`},
		{`each({ timeZone: 'America/New_York' })`, `["2/8/2024, 7:05:07 PM","11/19/2024, 10:45:59 AM"]`},
		{`[each({ hour: 'numeric', hour12: false }), each({ hour: 'numeric', hourCycle: 'h23' }), each({ hour: '2-digit' })]`, `[["24","15"],["00","15"],["12 AM","03 PM"]]`},
		{`[each({ hour12: false }, 'toLocaleTimeString'), each({ hour: '2-digit', minute: '2-digit' })]`, `[["24:05:07","15:45:59"],["12:05 AM","03:45 PM"]]`},
		{`[each({ weekday: 'long' }), each({ weekday: 'short' }), each({ month: 'long' }), each({ day: 'numeric' }), each({ minute: '2-digit' })]`, `[["Friday","Tuesday"],["Fri","Tue"],["February","November"],["9","19"],["5","45"]]`},
		{`each({ year: 'numeric', month: '2-digit', day: '2-digit' }, 'toLocaleDateString')`, `["02/09/2024","11/19/2024"]`},
		{`new Date(NaN).toLocaleString()`, `"Invalid Date"`},
		{`each({ timeZone: 'Nowhere/City' })`, `"throws Invalid time zone specified: Nowhere/City"`},
		{`each({}, 'toLocaleString', 'de-DE')`, `"throws Date.prototype.toLocaleString: the locale de-DE is not available here, as there is no Intl"`},
		{`each({ dateStyle: 'short' })`, `"throws Date.prototype.toLocaleString: the option dateStyle: short is not available here, as there is no Intl"`},
		{`each({ weekday: 'short', hour: 'numeric' })`, `"throws Date.prototype.toLocaleString: what the options ask for is not available here, as there is no Intl"`},
		{`numbers([0, -0, 123, 1234567, -1234567.891, 0.0004, 0.0005, 1e21, NaN, -Infinity])`, `["0","-0","123","1,234,567","-1,234,567.891","0","0.001","1,000,000,000,000,000,000,000","NaN","-∞"]`},
		{`numbers([1234.5, 1.005, 99.995, -0.001], { minimumFractionDigits: 2, maximumFractionDigits: 2 })`, `["1,234.50","1.01","100.00","-0.00"]`},
		{`[numbers([1234.5, 0.5], { maximumFractionDigits: 0 }), numbers([1234.5], { useGrouping: false }), (10n ** 9n).toLocaleString(), [1234.5, 2].toLocaleString()]`, `[["1,235","1"],["1234.5"],"1,000,000,000","1,234.5,2"]`},
		{`numbers([5], { style: 'currency', currency: 'USD' })`, `"throws Number.prototype.toLocaleString: the option style: currency is not available here, as there is no Intl"`},
		{`['A', 'á', 'b'].map((c) => ['base', 'accent', 'variant'].map((sensitivity) => 'a'.localeCompare(c, 'en', { sensitivity })))`, `[[0,0,-1],[0,-1,-1],[-1,-1,-1]]`},
		{`[sorted(['a10', 'a2'], { numeric: true }), sorted(['a10', 'a2']), sorted(['10.0.0.10', '9.0.0.1', '10.0.0.9'], { numeric: true })]`, `[["a2","a10"],["a10","a2"],["9.0.0.1","10.0.0.9","10.0.0.10"]]`},
		{`'a'.localeCompare('b', 'de')`, `"throws String.prototype.localeCompare: the locale de is not available here, as there is no Intl"`},
		{`'I'.toLocaleLowerCase() + 'I'.toLocaleLowerCase('tr')`, `"throws String.prototype.toLocaleLowerCase: the locale tr is not available here, as there is no Intl"`},
	})
}
