package fsm

import (
	"statnet/chain/record"
	"statnet/stat"
)

// fits refuses a question whose sums could wrap, since the number that came out
// would be wrong without any error, and returns how many patients one part of
// an answer may hold.
func (r *rules) fits(question stat.Question, q *record.Query, d Plan) (partSize int, err error) {
	epochs := int64((q.To - q.From) / record.WindowGrain) // a QUERY's times are below 2^40
	size := stat.PartSize(epochs, question.Selection())
	parts := 0
	for _, path := range d.Asked {
		own := len(common(r.patients[path], d.Patients))
		if size > 0 {
			n := (own + size - 1) / size
			if n > record.MaxParts {
				return 0, policy("P0", "%s would need %d ciphertexts, at most %d fit an answer", path, n, record.MaxParts)
			}
			parts += n
		}
	}
	if err := stat.CheckFit(max(parts, 1), max(size, 1), epochs, question.Selection()); err != nil {
		return 0, policy("P0", "the sums could overflow: %v", err)
	}
	return size, nil
}
