'use strict';

const numbers = (file) => native.procFile(file).trim().split(/\s+/).map(Number);
const memory = (name) => Number((new RegExp('^' + name + ':\\s+(\\d+)', 'm').exec(native.procFile('meminfo')) || [0, 0])[1]) * 1024;

const system = native.system();
for (const name of ['hostname', 'platform', 'type', 'arch', 'tmpdir', 'homedir']) exports[name] = () => system[name];

Object.assign(exports, {
  loadavg: () => Array.from({ length: 3 }, (_, at) => numbers('loadavg')[at] || 0),
  uptime: () => numbers('uptime')[0] || process.uptime(),
  totalmem: () => memory('MemTotal'),
  freemem: () => memory('MemAvailable'),
  EOL: system.platform === 'win32' ? '\r\n' : '\n',
});
