// What Go needs for one element between two goroutines of one thread.
//
//	channels to-and-fro|rendezvous|buffer|lock
//
// Prints nanoseconds of the process's time per element.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
)

const count = 300_000

func clock() int64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func stream(capacity int) int {
	channel := make(chan int, capacity)
	go func() {
		for number := 0; number < count; number++ {
			channel <- number
		}
		close(channel)
	}()
	received := 0
	for range channel {
		received++
	}
	return received
}

func toAndFro() int {
	there, back := make(chan int), make(chan int)
	go func() {
		for number := range there {
			back <- number
		}
	}()
	for number := 0; number < count; number++ {
		there <- number
		<-back
	}
	close(there)
	return 2 * count
}

func lock() int {
	var mutex sync.Mutex
	for number := 0; number < count*10; number++ {
		mutex.Lock()
		mutex.Unlock()
	}
	return count * 10
}

func main() {
	runtime.GOMAXPROCS(1)
	start := clock()
	elements := 0
	switch os.Args[1] {
	case "to-and-fro":
		elements = toAndFro()
	case "rendezvous":
		elements = stream(0)
	case "buffer":
		elements = stream(128)
	case "lock":
		elements = lock()
	}
	fmt.Println(float64(clock()-start) / float64(elements))
}
