'use strict';

function lookup(host, options, callback) {
  if (typeof options === 'function') {
    callback = options;
    options = {};
  }
  const { family = 0, all = false } = typeof options === 'number' ? { family: options } : options || {};
  const wanted = { IPv4: 4, IPv6: 6 }[family] || family;
  binding.lookup(host || 'localhost', wanted, (error, list) => {
    if (error) return callback(error);
    return all ? callback(null, list) : callback(null, list[0].address, list[0].family);
  });
}

function resolve(host, type, callback) {
  if (typeof type === 'function') {
    callback = type;
    type = 'A';
  }
  if (!types.includes(type)) throw new TypeError('The argument \'rrtype\' is invalid. Received ' + String(type));
  binding.resolve(host, type, callback);
}

const types = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'SRV', 'TXT'];

exports.lookup = lookup;
exports.resolve = resolve;
exports.reverse = (ip, callback) => {
  if (!require('net').isIP(ip)) {
    throw Object.assign(new Error('reverse EINVAL ' + ip), { code: 'EINVAL', syscall: 'getHostByAddr', hostname: ip });
  }
  binding.reverse(ip, callback);
};
exports.lookupService = () => { throw new Error('dns.lookupService: not available in balancer scripts'); };

for (const [method, type] of [['resolve4', 'A'], ['resolve6', 'AAAA'], ['resolveCname', 'CNAME'], ['resolveMx', 'MX'], ['resolveNs', 'NS'],
  ['resolvePtr', 'PTR'], ['resolveSrv', 'SRV'], ['resolveTxt', 'TXT']]) {
  exports[method] = (host, options, callback) => resolve(host, type, callback || options);
}

const promised = (method) => (...args) => new Promise((done, fail) => {
  exports[method](...args, (error, value) => (error ? fail(error) : done(value)));
});

exports.promises = {
  lookup: (host, options = {}) => new Promise((done, fail) => {
    lookup(host, options, (error, address, family) => {
      if (error) return fail(error);
      return done(options && options.all ? address : { address, family });
    });
  }),
};
lookup[Symbol.for('nodejs.util.promisify.custom')] = exports.promises.lookup;
for (const method of Object.keys(exports)) {
  if (method === 'reverse' || method.startsWith('resolve')) exports.promises[method] = promised(method);
}

// The answers of the system's resolver decide, as they do for the whole process.
exports.getServers = () => [];
exports.setServers = () => { throw new Error('dns.setServers: not available in balancer scripts'); };
exports.setDefaultResultOrder = () => {};
for (const code of ['NODATA', 'FORMERR', 'SERVFAIL', 'NOTFOUND', 'REFUSED', 'TIMEOUT', 'CANCELLED']) {
  exports[code] = 'E' + code;
}
