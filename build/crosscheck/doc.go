// Command crosscheck type-checks the packages of the module, and their tests, for other systems than this one.
//
// It reads what they import from the source, and only the declarations of that, so nothing is compiled: go vet would need
// export data of a thousand packages for each system.
//
//	go run ./build/crosscheck system/machine,... package ...
package main
