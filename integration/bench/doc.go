// Command bench measures the balancer and its rivals side by side on one machine, in one run and in interleaved rounds, so
// that the ratios between them count and not the machine. README.md in its folder describes the scenarios and the flags;
// the folder results has the reports of past runs.
//
// It runs on Linux only. run.sh installs the rivals where they are missing, builds the balancer and starts the command.
package main
