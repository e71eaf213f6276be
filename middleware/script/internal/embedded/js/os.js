'use strict';

const { call, procFile, systemErrors, windows } = binding;

const numbers = (file) => procFile(file).trim().split(/\s+/).map(Number);
const memory = (name) => Number((new RegExp('^' + name + ':\\s+(\\d+)', 'm').exec(procFile('meminfo')) || [0, 0])[1]) * 1024;

function cpus() {
  const facts = procFile('cpuinfo').split('\n\n');
  const fact = (at, name) => (new RegExp('^' + name + '\\s*:\\s*(.*)$', 'm').exec(facts[at] || '') || ['', ''])[1];
  const times = new Map(Array.from(procFile('stat').matchAll(/^cpu(\d+) (.*)$/gm), ([, at, text]) => [Number(at), text.split(' ').map((n) => 10 * n)]));
  return Array.from({ length: binding.cpuCount }, (_, at) => {
    const [user = 0, nice = 0, sys = 0, idle = 0, , irq = 0] = times.get(at) || [];
    return { model: fact(at, 'model name') || 'unknown', speed: Math.floor(fact(at, 'cpu MHz')) || 0, times: { user, nice, sys, idle, irq } };
  });
}

// The bits of a prefix length as an address.
function netmask(family, bits) {
  const [width, count, radix, mark] = family === 'IPv4' ? [8, 4, 10, '.'] : [16, 8, 16, ':'];
  const groups = Array.from({ length: count }, (_, at) => {
    const ones = Math.min(width, Math.max(0, bits - at * width));
    return ((2 ** width - 1) - (2 ** (width - ones) - 1)).toString(radix);
  });
  return family === 'IPv4' ? groups.join(mark) : groups.join(mark).replace(/(^|:)0(:0)*$/, '::');
}

function networkInterfaces() {
  const all = binding.networkInterfaces();
  for (const [name, list] of Object.entries(all)) {
    if (list.length === 0) delete all[name];
    for (const one of list) {
      one.netmask = netmask(one.family, Number(one.cidr.split('/')[1]));
      one.mac = one.mac || '00:00:00:00:00:00';
      if (one.family === 'IPv6') one.scopeid = 0;
    }
  }
  return all;
}

module.exports = Object.assign({}, call, {
  cpus,
  networkInterfaces,
  loadavg: () => Array.from({ length: 3 }, (_, at) => numbers('loadavg')[at] || 0),
  uptime: () => numbers('uptime')[0] || process.uptime(),
  totalmem: () => memory('MemTotal'),
  freemem: () => memory('MemAvailable'),
  release: () => procFile('sys/kernel/osrelease').trim(),
  version: () => procFile('sys/kernel/version').trim(),
  machine: () => ({ x64: 'x86_64', arm64: 'aarch64', ia32: 'i686' }[call.arch()] || call.arch()),
  userInfo: () => Object.assign(binding.user(), { shell: process.env.SHELL || null }),
  EOL: windows ? '\r\n' : '\n',
  devNull: windows ? '\\\\.\\nul' : '/dev/null',
  constants: {
    signals: { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGKILL: 9, SIGTERM: 15 },
    errno: Object.fromEntries(systemErrors.map(([code, number]) => [code, -number])),
  },
});
