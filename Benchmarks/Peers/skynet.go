// What Go needs for a tree of goroutines, ten to each inner one, that adds up the numbers of its leaves.
//
//	skynet THREADS LEAVES
//
// Prints nanoseconds on the clock of the wall per leaf.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

func sum(to chan int, number int, size int) {
	if size == 1 {
		to <- number
		return
	}
	part := size / 10
	from := make(chan int)
	for child := 0; child < 10; child++ {
		go sum(from, number+child*part, part)
	}
	total := 0
	for child := 0; child < 10; child++ {
		total += <-from
	}
	to <- total
}

func number(text string) int {
	number, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return number
}

func main() {
	runtime.GOMAXPROCS(number(os.Args[1]))
	leaves := number(os.Args[2])
	start := time.Now()
	to := make(chan int)
	go sum(to, 0, leaves)
	if <-to != leaves*(leaves-1)/2 {
		panic("the sum is wrong")
	}
	fmt.Println(float64(time.Since(start).Nanoseconds()) / float64(leaves))
}
