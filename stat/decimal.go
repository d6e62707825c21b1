package stat

import (
	"math/big"
	"strings"
)

const places = 6 // decimal places of a Decimal

// ratio returns a/b, or nil if b is 0: an absent value, which every function
// below passes on.
func ratio(a, b *big.Int) *big.Rat {
	if b.Sign() == 0 {
		return nil
	}
	return new(big.Rat).SetFrac(a, b)
}

func integer(v uint64) *big.Int { return new(big.Int).SetUint64(v) }

func fraction(a, b uint64) *big.Rat { return ratio(integer(a), integer(b)) }

func times(r *big.Rat, num, den int64) *big.Rat {
	if r == nil {
		return nil
	}
	return new(big.Rat).Mul(r, big.NewRat(num, den))
}

// decimal rounds r half away from zero.
func decimal(r *big.Rat) Decimal {
	if r == nil {
		return ""
	}
	s := r.FloatString(places)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if s == "-0" {
		return "0"
	}
	return Decimal(s)
}

// root rounds the square root of r >= 0 half up. It never leaves the integers:
// round(√y) = (⌊√(4y)⌋ + 1) / 2 for y = r·10^12.
func root(r *big.Rat) Decimal {
	if r == nil || r.Sign() < 0 {
		return ""
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(places), nil)
	y := new(big.Int).Mul(r.Num(), big.NewInt(4))
	y.Mul(y, scale).Mul(y, scale).Quo(y, r.Denom())
	y.Sqrt(y).Add(y, big.NewInt(1)).Rsh(y, 1)
	return decimal(ratio(y, scale))
}

// minus subtracts printed values, so that what a reader adds up is exact.
func minus(a, b Decimal) Decimal {
	x, okX := new(big.Rat).SetString(string(a))
	y, okY := new(big.Rat).SetString(string(b))
	if !okX || !okY {
		return ""
	}
	return decimal(x.Sub(x, y))
}
