package stat

import "math/big"

const (
	ruleMin      = "lower edge of the lowest bin with a beat"
	ruleMax      = "upper edge of the highest bin with a beat"
	ruleQuantile = "linear inside the bin in which the cumulative count reaches the quantile"
)

// cell is a bin [from, to) in the unit of the signal, with its count.
type cell struct {
	from, to *big.Rat
	count    uint64
}

// cells returns the histogram in rising order: RR bins in ms, or for HR the
// same bins as rates 60000/RR in 1/min, which reverses their order. The rates
// are not rounded: bins are of RR, and 60000/RR is monotone.
func cells(s *Sums, signal Signal) []cell {
	out := make([]cell, NumBins)
	for k, n := range s.Bins {
		from, to := int64(BinEdge(k)), int64(BinEdge(k+1))
		if signal == HR {
			out[NumBins-1-k] = cell{big.NewRat(60_000, to), big.NewRat(60_000, from), n}
		} else {
			out[k] = cell{big.NewRat(from, 1), big.NewRat(to, 1), n}
		}
	}
	return out
}

// merge groups the 64 cells into n bins of neighbouring cells: bin i takes the
// cells [64i/n, 64(i+1)/n). Counts stay exact.
func merge(c []cell, n int) []cell {
	out := make([]cell, 0, n)
	for i := range n {
		lo, hi := i*len(c)/n, (i+1)*len(c)/n
		m := cell{from: c[lo].from, to: c[hi-1].to}
		for _, x := range c[lo:hi] {
			m.count += x.count
		}
		out = append(out, m)
	}
	return out
}

// located is a value read from the histogram and the cell that holds it.
type located struct {
	value *big.Rat
	cell  cell
	rule  string
}

// extreme returns the lowest (Min) or highest (Max) edge with a beat behind it,
// nil for no beats: the true extreme lies less than one bin further in.
func extreme(c []cell, s Statistic) *located {
	for i := range c {
		x := c[i]
		if s == Max {
			x = c[len(c)-1-i]
		}
		if x.count == 0 {
			continue
		}
		if s == Max {
			return &located{x.to, x, ruleMax}
		}
		return &located{x.from, x, ruleMin}
	}
	return nil
}

// quantile returns the value below which ppm parts per million of the beats
// lie, nil for no beats. With rank = q·N, it takes the first cell whose
// cumulative count reaches rank and moves linearly through it, as if the
// cell's beats were spread evenly: the error is below one bin width.
func quantile(c []cell, ppm uint32) *located {
	var total, before uint64
	for _, x := range c {
		total += x.count
	}
	rank := new(big.Rat).SetFrac(new(big.Int).Mul(integer(total), big.NewInt(int64(ppm))), big.NewInt(1_000_000))
	for _, x := range c {
		after := new(big.Rat).SetInt(integer(before + x.count))
		if x.count > 0 && after.Cmp(rank) >= 0 {
			share := new(big.Rat).Sub(rank, new(big.Rat).SetInt(integer(before)))
			share.Quo(share, new(big.Rat).SetInt(integer(x.count)))
			width := new(big.Rat).Sub(x.to, x.from)
			return &located{new(big.Rat).Add(x.from, width.Mul(width, share)), x, ruleQuantile}
		}
		before += x.count
	}
	return nil
}
