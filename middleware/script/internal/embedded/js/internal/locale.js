'use strict';

// There is no Intl. What the methods for locales do in English without it is done, and anything else throws.

const missing = (method, what) => new Error(method + ': ' + what + ' is not available here, as there is no Intl');

function checkLocale(method, locales) {
  const first = Array.isArray(locales) ? locales[0] : locales;
  if (first !== undefined && !['en-US', 'en'].includes(first)) throw missing(method, 'the locale ' + String(first));
}

// The options that are known, each with the values that are.
function checkOptions(method, options, known) {
  if (options === null) throw new TypeError('Cannot convert undefined or null to object');
  for (const [key, value] of Object.entries(Object(options))) {
    if (value === undefined) continue;
    const values = known[key];
    if (!values || (values !== 'any' && !values.includes(value))) throw missing(method, 'the option ' + key + ': ' + String(value));
  }
  return { ...options };
}

function replace(object, name, method) {
  Object.defineProperty(method, 'name', { value: name, configurable: true });
  Object.defineProperty(method, 'length', { value: object[name].length, configurable: true });
  Object.defineProperty(object, name, { value: method, writable: true, configurable: true, enumerable: false });
}

const figures = ['numeric', '2-digit'];
const names = ['long', 'short'];
const dateOptions = {
  timeZone: 'any', hour12: [true, false], hourCycle: ['h12', 'h23'],
  weekday: names, year: figures, month: [...figures, ...names], day: figures, hour: figures, minute: figures, second: figures,
};
const months = 'January February March April May June July August September October November December'.split(' ');
const days = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');
const dateParts = ['weekday', 'year', 'month', 'day'];
const timeParts = ['hour', 'minute', 'second'];

const padded = (value) => String(value).padStart(2, '0');
const figure = (value, style) => (style === '2-digit' ? padded(value).slice(-2) : String(value));

function writeHour(hour, options) {
  if (options.hour12 === false) return [padded(hour || 24), ''];
  if (options.hour12 === undefined && options.hourCycle === 'h23') return [padded(hour), ''];
  return [figure(hour % 12 || 12, options.hour), hour < 12 ? ' AM' : ' PM'];
}

// The parts are given by a letter each, in the order of dateParts and timeParts.
function writeDate(shape, at, options) {
  const name = (list, value, style) => (style === 'short' ? list[value].slice(0, 3) : list[value]);
  const month = names.includes(options.month) ? name(months, at.month - 1, options.month) : figure(at.month, options.month);
  switch (shape) {
    case 'w': return name(days, at.weekday, options.weekday);
    case 'y': return figure(at.year, options.year);
    case 'm': return month;
    case 'd': return figure(at.day, options.day);
    case 'ymd': return names.includes(options.month) ? null : [month, figure(at.day, options.day), figure(at.year, options.year)].join('/');
    default: return null;
  }
}

function writeTime(shape, at, options) {
  const [hour, half] = writeHour(at.hour, options);
  switch (shape) {
    case 'h': return hour + half;
    case 'hm': return hour + ':' + padded(at.minute) + half;
    case 'hms': return hour + ':' + padded(at.minute) + ':' + padded(at.second) + half;
    case 'm': return String(at.minute);
    case 's': return String(at.second);
    default: return null;
  }
}

const shapeOf = (options, parts) => parts.filter((part) => options[part] !== undefined).map((part) => part[0]).join('');

function writeMoment(method, date, locales, given, required, defaults) {
  checkLocale(method, locales);
  const options = checkOptions(method, given, dateOptions);
  const time = date.getTime();
  if (required.every((part) => options[part] === undefined)) {
    for (const part of defaults) options[part] = 'numeric';
  }
  if (options.timeZone !== undefined) options.timeZone = String(options.timeZone);
  const at = binding.moment(Number.isNaN(time) ? 0 : time, options.timeZone);
  if (!at) throw new RangeError('Invalid time zone specified: ' + options.timeZone);
  if (Number.isNaN(time)) return 'Invalid Date';
  const dateShape = shapeOf(options, dateParts), timeShape = shapeOf(options, timeParts);
  const words = [];
  if (dateShape) words.push(writeDate(dateShape, at, options));
  if (timeShape) words.push(writeTime(timeShape, at, options));
  if (words.includes(null) || at.year < 1 || (words.length === 2 && (dateShape !== 'ymd' || timeShape[0] !== 'h'))) {
    throw missing(method, 'what the options ask for');
  }
  return words.join(', ');
}

const plainDate = ['year', 'month', 'day'];
for (const [name, required, defaults] of [
  ['toLocaleString', [...dateParts, ...timeParts], [...plainDate, ...timeParts]],
  ['toLocaleDateString', dateParts, plainDate],
  ['toLocaleTimeString', timeParts, timeParts],
]) {
  replace(Date.prototype, name, function (locales, options) {
    return writeMoment('Date.prototype.' + name, this, locales, options, required, defaults);
  });
}

const numberOptions = { minimumFractionDigits: 'any', maximumFractionDigits: 'any', useGrouping: [true, false], style: ['decimal'] };

function digitsOf(name, value, otherwise) {
  if (value === undefined) return otherwise;
  const n = Number(value);
  if (!(n >= 0 && n <= 20)) throw new RangeError(name + ' value is out of range.');
  return Math.floor(n);
}

// Rounds half away from zero, as a decimal number is written.
function round(text, most) {
  const [whole, fraction = ''] = text.split('.');
  if (fraction.length <= most) return [whole, fraction];
  const digits = String(BigInt(whole + fraction.slice(0, most)) + (fraction[most] >= '5' ? 1n : 0n)).padStart(most + 1, '0');
  return [digits.slice(0, digits.length - most), digits.slice(digits.length - most)];
}

function writeNumber(method, value, locales, given) {
  checkLocale(method, locales);
  const options = checkOptions(method, given, numberOptions);
  const least = digitsOf('minimumFractionDigits', options.minimumFractionDigits, 0);
  const most = digitsOf('maximumFractionDigits', options.maximumFractionDigits, Math.max(3, least));
  if (least > most) throw new RangeError('maximumFractionDigits value is out of range.');
  if (Number.isNaN(value)) return 'NaN';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  if (value === Infinity || value === -Infinity) return sign + '∞';
  const text = typeof value === 'bigint' ? String(value) : binding.decimal(value);
  let [whole, fraction] = round(text.replace('-', ''), most);
  fraction = fraction.replace(/0+$/, '').padEnd(least, '0');
  if (options.useGrouping !== false) whole = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return sign + whole + (fraction && '.' + fraction);
}

replace(Number.prototype, 'toLocaleString', function (locales, options) {
  return writeNumber('Number.prototype.toLocaleString', Number.prototype.valueOf.call(this), locales, options);
});
replace(BigInt.prototype, 'toLocaleString', function (locales, options) {
  return writeNumber('BigInt.prototype.toLocaleString', BigInt.prototype.valueOf.call(this), locales, options);
});

const { localeCompare } = String.prototype;
replace(String.prototype, 'localeCompare', function (that, locales, given) {
  if (locales === undefined && given === undefined) return localeCompare.call(this, that);
  const method = 'String.prototype.localeCompare';
  checkLocale(method, locales);
  const { sensitivity = 'variant', numeric = false } = checkOptions(method, given, {
    usage: ['sort'], numeric: [true, false], sensitivity: ['base', 'accent', 'variant'], ignorePunctuation: [false], caseFirst: ['false'],
  });
  return binding.compare(String(this), String(that), sensitivity, numeric);
});

for (const name of ['toLocaleLowerCase', 'toLocaleUpperCase']) {
  const original = String.prototype[name];
  replace(String.prototype, name, function (locales) {
    const first = String(Array.isArray(locales) ? locales[0] : locales);
    if (/^(tr|az|lt)\b/i.test(first)) throw missing('String.prototype.' + name, 'the locale ' + first);
    return original.call(this);
  });
}
