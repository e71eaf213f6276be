'use strict';

const { isIP } = require('net');
const { coded, invalidType, invalidValue, checkFunction } = require('internal/errors');
const { wait } = require('internal/tasks');
const promisified = Symbol.for('nodejs.util.promisify.custom');

const families = { IPv4: 4, IPv6: 6, 0: 0, 4: 4, 6: 6 };

function lookupOptions(options) {
  if (typeof options === 'number') options = { family: options };
  if (options === null || options === undefined) options = {};
  if (typeof options !== 'object') throw invalidType('options', 'of type object or integer', options);
  const { family, all } = options;
  if (all !== undefined && typeof all !== 'boolean') throw invalidType('options.all', 'of type boolean', all);
  if (family !== undefined && family !== null && !(family in families)) throw invalidValue('options.family', family, 'must be one of: 0, 4, 6');
  return { family: families[family] || 0, all: all === true };
}

function lookup(host, options, callback) {
  if (typeof options === 'function') {
    callback = options;
    options = {};
  }
  if (host && typeof host !== 'string') throw invalidType('hostname', 'of type string', host);
  checkFunction(callback);
  const { family, all } = lookupOptions(options);
  const answer = (list) => (all ? callback(null, list) : callback(null, list[0].address, list[0].family));
  if (!host) {
    // As in Node: nothing is nowhere.
    process.nextTick(() => (all ? callback(null, []) : callback(null, null, family === 6 ? 6 : 4)));
  } else if (isIP(host)) {
    process.nextTick(answer, [{ address: host, family: isIP(host) }]);
  } else {
    wait(native.lookup(host, family), (error, list) => (error ? callback(error) : answer(list)));
  }
  return {};
}

const types = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'SRV', 'TXT'];

function resolve(host, type, callback) {
  if (typeof type === 'function') {
    callback = type;
    type = 'A';
  }
  if (typeof type !== 'string') throw invalidType('rrtype', 'of type string', type);
  if (!types.includes(type)) throw invalidValue('rrtype', type);
  query(host, type, callback);
}

function query(host, type, callback) {
  if (typeof host !== 'string') throw invalidType('name', 'of type string', host);
  checkFunction(callback);
  if (isIP(host)) {
    // An address is no name. The system's resolver would take it as one that stands for itself.
    const code = isIP(host) === 4 ? 'ENOTFOUND' : 'EBADNAME';
    const syscall = 'query' + type[0] + type.slice(1).toLowerCase();
    process.nextTick(callback, coded(Error, code, syscall + ' ' + code + ' ' + host, { syscall, hostname: host }));
  } else {
    wait(native.records(host, type), callback);
  }
}

function reverse(ip, callback) {
  if (typeof ip !== 'string') throw invalidType('name', 'of type string', ip);
  checkFunction(callback);
  if (!isIP(ip)) {
    const more = Object.assign({ errno: -22, code: 'EINVAL', syscall: 'getHostByAddr' }, ip && { hostname: ip });
    throw Object.assign(new Error('getHostByAddr EINVAL' + (ip && ' ' + ip)), more);
  }
  wait(native.reverse(ip), callback);
}

Object.assign(exports, { lookup, resolve, reverse });
for (const [method, type] of [['resolve4', 'A'], ['resolve6', 'AAAA'], ['resolveCname', 'CNAME'], ['resolveMx', 'MX'], ['resolveNs', 'NS'],
  ['resolvePtr', 'PTR'], ['resolveSrv', 'SRV'], ['resolveTxt', 'TXT']]) {
  exports[method] = (host, options, callback) => {
    if (typeof options === 'function') [callback, options] = [options, {}];
    checkFunction(callback);
    // How long an answer holds the system's resolver does not tell.
    const wanted = (list) => (options && options.ttl ? list.map((address) => ({ address, ttl: 0 })) : list);
    query(host, type, (error, list) => (error ? callback(error) : callback(null, wanted(list))));
  };
}

const promised = (method) => async (...args) => new Promise((done, fail) => {
  exports[method](...args, (error, value) => (error ? fail(error) : done(value)));
});

exports.promises = {
  lookup: async (host, options) => new Promise((done, fail) => {
    const { all } = lookupOptions(options);
    lookup(host, options, (error, address, family) => {
      if (error) return fail(error);
      return done(all ? address : { address, family });
    });
  }),
};
lookup[promisified] = exports.promises.lookup;
const questions = Object.keys(exports).filter((method) => method === 'reverse' || method.startsWith('resolve'));
for (const method of questions) exports.promises[method] = promised(method);

Object.assign(exports, { ADDRCONFIG: 32, V4MAPPED: 8, ALL: 16 });

// The answers of the system's resolver decide, as they do for the whole process.
for (const api of [exports, exports.promises]) {
  api.getServers = () => [];
  api.Resolver = class Resolver { cancel() {} };
  for (const method of [...questions, 'getServers']) api.Resolver.prototype[method] = api[method];
  for (const code of ['NODATA', 'SERVFAIL', 'NOTFOUND', 'BADNAME', 'TIMEOUT']) api[code] = 'E' + code;
}
