package script

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
