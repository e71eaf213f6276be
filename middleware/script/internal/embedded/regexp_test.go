package embedded

import "testing"

// Properties in regular expressions are those of Node.
func TestProperties(t *testing.T) {
	expressions(t, nil, `
		class Own extends RegExp {
			exec(s) { const found = super.exec(s); if (found) found.own = true; return found; }
		}
		const each = (text, re) => [...text].filter((c) => re.test(c)).join('');`, [][2]string{
		{`[/\p{L}/u.test('a'), /\P{L}/u.test('a'), /[\p{L}]/u.test('a'), /[^\p{L}]/u.test('a'), /[^\P{L}]/u.test('a')]`, `[true,false,true,false,true]`},
		{`'Zoë Müller, 42'.match(/\p{L}+/gu)`, `["Zoë","Müller"]`},
		{`'Zoë Müller, 42'.split(/[^\p{L}\p{N}]+/u)`, `["Zoë","Müller","42"]`},
		{`[...'Zoë Mü'.matchAll(/(\p{Lu})(\p{Ll}+)/gu)].map((m) => m[2])`, `["oë","ü"]`},
		{`'Zoë Mü'.replace(/\p{Lu}/gu, (c) => c.toLowerCase())`, `"zoë mü"`},
		{`'x😀y𠀀'.replace(/\p{L}/gu, '*')`, `"*😀**"`},
		{`[/^\p{Lu}/iu.test('a'), /^\P{Lu}/iu.test('A'), /^[^\p{Lu}]/iu.test('a'), /^[^\P{Lu}]/iu.test('A')]`, `[true,true,false,false]`},
		{`each('aZ-é5', /[a-z-\p{Lu}]/u) + ' ' + each('aZ-é5', /[-\p{Lu}]/u) + ' ' + each('aZ-é5', /[\p{Lu}-]/u) + ' ' + each('aZ-é5', /[^\p{Lu}-]/u)`, `"aZ- Z- Z- aé5"`},
		{`each('aA5 _λ漢', /\p{Script=Greek}|\p{sc=Han}/u) + each('aA5', /\p{gc=Uppercase_Letter}|\p{General_Category=Nd}/u)`, `"λ漢A5"`},
		{`each('aA5 _λ漢٣', /\p{Alphabetic}/u) + ' ' + each('aA5 _λ$', /\p{ID_Continue}/u) + ' ' + each('aG5', /\p{AHex}/u) + ' ' + each('aé', /\P{ASCII}/u)`, `"aAλ漢 aA5_λ a5 é"`},
		{`[/\P{L}/u.test('\ud800'), /\p{L}/u.test('\ud800'), /\p{Any}/u.test('\ud800')]`, `[true,false,true]`},
		{`[/\p{L}/.test('p{L}'), /\p{L}/.test('a'), new RegExp('\\p{L}').test('a')]`, `[true,false,false]`},
		{`[new RegExp('\\p{L}', 'u').test('é'), RegExp(['\\p{L}'], 'u').test('é'), new RegExp(/\p{L}+/u, 'gu').test('é'), new RegExp(/\p{L}/u).test('é')]`, `[true,true,true,true]`},
		{`new RegExp('^' + /\p{L}+/u.source + '$', 'u').test('éa')`, `true`},
		{`new RegExp(/\p{L}/u, 'g')`, `"throws Invalid regular expression: the source of one with \\p{…} is used without flag u"`},
		{`(() => { const re = /a/; re.compile('\\p{N}', 'u'); return [re.test('1'), re.test('a')]; })()`, `[true,false]`},
		{`new RegExp('\\p{Emoji}', 'u')`, `"throws Invalid regular expression: /\\p{Emoji}/u: the property \\p{Emoji} is not known here"`},
		{`new RegExp('\\P{Any}', 'u')`, `"throws Invalid regular expression: /\\P{Any}/u: \\P{Any} is no character"`},
		{`new RegExp('[\\p{L}-z]', 'u')`, `"throws Invalid regular expression: /[\\p{L}-z]/u: invalid character class"`},
		{`new RegExp('\\pL', 'u')`, `"throws Invalid regular expression: /\\pL/u: invalid property name"`},
		{`[new Own('\\p{L}', 'u').exec('é').own, new Own(/x/g) instanceof Own, new Own(/x/g).flags, 'axb'.split(new Own('x'))]`, `[true,true,"g",["a","b"]]`},
		{`(() => { const re = /a/; return [RegExp(re) === re, new RegExp(re) === re, RegExp(re, 'g').flags]; })()`, `[true,false,"g"]`},
		{`[/a/.constructor === RegExp, /a/ instanceof RegExp, RegExp.prototype.constructor === RegExp, Own[Symbol.species] === Own, RegExp.name, RegExp.length]`, `[true,true,true,true,"RegExp",2]`},
	})
}

// RegExp knows the last match, of whatever function made it.
func TestLastMatch(t *testing.T) {
	expressions(t, nil, `
		const last = () => [RegExp.$1, RegExp.$2, RegExp.lastMatch, RegExp['$+'], RegExp.leftContext, RegExp["$'"], RegExp.input];`, [][2]string{
		{`/^(\d+)\./.test('10.0.0.1') && { 10: 'blocked' }[RegExp.$1]`, `"blocked"`},
		{`(/(\d+)-(\w)?/.test('ab12-cd'), /x(\d)/.test('no'), last())`, `["12","c","12-c","c","ab","d","ab12-cd"]`},
		{`(/(a)|(b)/.exec('xa'), last())`, `["a","","a","","x","","xa"]`},
		{`('a1b2'.match(/(\d)/g), last())`, `["2","","2","2","a1b","","a1b2"]`},
		{`['a1b2'.replace(/([a-z])(\d)/g, () => RegExp.$1), last()]`, `["bb",["b","2","b2","2","a1","","a1b2"]]`},
		{`('foobar'.search(/o(b)/), last())`, `["b","","ob","b","fo","ar","foobar"]`},
		{`('a,b;c'.split(/([,;])/), last())`, `[";","",";",";","a,b","c","a,b;c"]`},
		{`[/o/y.test('foo'), 'a1b22'.replace(/\d+/g, (m) => '<' + m + '>'), 'a1b22'.split(/\d+/), [...'a1b2'.matchAll(/\d/g)].length]`, `[false,"a<1>b<22>",["a","b",""],2]`},
	})
	expressions(t, nil, `const Other = RegExp;`, [][2]string{
		{`/(a)/.test('a') && Other.$1`, `"throws RegExp.$1 is not available here by way of another name for RegExp"`},
	})
}
