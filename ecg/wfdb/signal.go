package wfdb

import (
	"encoding/binary"
	"fmt"
)

// countSamples returns the samples per signal of a file with n signals, and
// checks its size against the header's number (0: unknown) before anything is
// allocated.
func countSamples(format int, size int64, n int, announced int64) (int64, error) {
	if size > maxFile {
		return 0, fmt.Errorf("%d bytes: larger than %d", size, int64(maxFile))
	}
	var values int64
	switch format {
	case 16:
		values = size / 2
	case 212:
		values = size / 3 * 2
		if size%3 == 2 {
			values++
		}
	}
	samples := values / int64(n)
	if announced != 0 {
		samples = announced
	}
	for _, want := range fileSizes(format, samples*int64(n)) {
		if size == want {
			return samples, nil
		}
	}
	return 0, fmt.Errorf("%d bytes do not hold %d samples of %d signals in format %d", size, samples, n, format)
}

// fileSizes returns the sizes a file of that many values may have. An odd last
// value of format 212 takes two bytes; some writers pad it to three.
func fileSizes(format int, values int64) []int64 {
	if format == 16 {
		return []int64{2 * values}
	}
	if values%2 == 0 {
		return []int64{values / 2 * 3}
	}
	return []int64{values/2*3 + 2, values/2*3 + 3}
}

// decode takes interleaved values apart. data has the size that countSamples
// accepted.
func decode(format int, data []byte, n int, samples int64) [][]int32 {
	out := make([][]int32, n)
	for i := range out {
		out[i] = make([]int32, samples)
	}
	at := 0
	for s := range samples {
		for i := range n {
			if format == 16 {
				out[i][s] = value16(data, at)
			} else {
				out[i][s] = value212(data, at)
			}
			at++
		}
	}
	return out
}

func value16(data []byte, at int) int32 {
	v := int32(int16(binary.LittleEndian.Uint16(data[2*at:])))
	if v == -1<<15 {
		return Missing
	}
	return v
}

// value212 reads one of the two 12-bit values that share three bytes.
func value212(data []byte, at int) int32 {
	i := at / 2 * 3
	var v int32
	if at%2 == 0 {
		v = int32(data[i]) | int32(data[i+1]&0x0f)<<8
	} else {
		v = int32(data[i+2]) | int32(data[i+1]&0xf0)<<4
	}
	if v = v << 20 >> 20; v == -1<<11 { // sign of 12 bits
		return Missing
	}
	return v
}

// missingIn is the count that stands for an absent sample.
func missingIn(format int) int32 {
	if format == 16 {
		return -1 << 15
	}
	return -1 << 11
}

// checksum is the sum of all samples in 16 bits, absent ones as they are stored.
func checksum(format int, samples []int32) int16 {
	var sum int32
	for _, v := range samples {
		if v == Missing {
			v = missingIn(format)
		}
		sum += v
	}
	return int16(sum)
}

// encode is the inverse of decode.
func encode(format int, signals [][]int32) ([]byte, error) {
	var flat []int32
	for s := range signals[0] {
		for i := range signals {
			v := signals[i][s]
			limit := -missingIn(format)
			switch {
			case v == Missing:
				v = missingIn(format)
			case v <= -limit || v >= limit:
				return nil, fmt.Errorf("sample %d of signal %d: %d does not fit format %d", s, i, v, format)
			}
			flat = append(flat, v)
		}
	}
	if format == 16 {
		out := make([]byte, 0, 2*len(flat))
		for _, v := range flat {
			out = binary.LittleEndian.AppendUint16(out, uint16(v))
		}
		return out, nil
	}
	return pack212(flat), nil
}

func pack212(flat []int32) []byte {
	out := make([]byte, 0, len(flat)/2*3+2)
	for i := 0; i < len(flat); i += 2 {
		a := uint16(flat[i])
		if i+1 == len(flat) {
			return append(out, byte(a), byte(a>>8)&0x0f)
		}
		b := uint16(flat[i+1])
		out = append(out, byte(a), byte(a>>8)&0x0f|byte(b>>4)&0xf0, byte(b))
	}
	return out
}
