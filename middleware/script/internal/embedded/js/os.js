'use strict';

const numbers = (file) => native.procFile(file).trim().split(/\s+/).map(Number);
const memory = (name) => Number((new RegExp('^' + name + ':\\s+(\\d+)', 'm').exec(native.procFile('meminfo')) || [0, 0])[1]) * 1024;

function cpus() {
  const facts = native.procFile('cpuinfo').split('\n\n');
  const fact = (at, name) => (new RegExp('^' + name + '\\s*:\\s*(.*)$', 'm').exec(facts[at] || '') || ['', ''])[1];
  const times = new Map(Array.from(native.procFile('stat').matchAll(/^cpu(\d+) (.*)$/gm), ([, at, text]) => [Number(at), text.split(' ').map((n) => 10 * n)]));
  return Array.from({ length: system.availableParallelism }, (_, at) => {
    const [user = 0, nice = 0, sys = 0, idle = 0, , irq = 0] = times.get(at) || [];
    return { model: fact(at, 'model name') || 'unknown', speed: Math.floor(fact(at, 'cpu MHz')) || 0, times: { user, nice, sys, idle, irq } };
  });
}

const system = native.system();
const call = {};
for (const name of ['hostname', 'platform', 'type', 'arch', 'tmpdir', 'homedir', 'endianness', 'availableParallelism']) call[name] = () => system[name];

module.exports = {
  ...call,
  cpus,
  networkInterfaces: native.interfaces,
  loadavg: () => Array.from({ length: 3 }, (_, at) => numbers('loadavg')[at] || 0),
  uptime: () => numbers('uptime')[0] || process.uptime(),
  totalmem: () => memory('MemTotal'),
  freemem: () => memory('MemAvailable'),
  release: () => native.procFile('sys/kernel/osrelease').trim(),
  version: () => native.procFile('sys/kernel/version').trim(),
  machine: () => ({ x64: 'x86_64', arm64: 'aarch64' }[system.arch] || system.arch),
  userInfo: () => ({ uid: system.uid, gid: system.gid, username: system.username, homedir: system.homedir, shell: process.env.SHELL || null }),
  EOL: system.platform === 'win32' ? '\r\n' : '\n',
  devNull: system.platform === 'win32' ? '\\\\.\\nul' : '/dev/null',
  constants: { signals: { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGKILL: 9, SIGTERM: 15 } },
};
