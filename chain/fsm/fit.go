package fsm

import (
	"statnet/chain/record"
	"statnet/stat"
)

// fits refuses a question whose sums could wrap: the number that came out would
// be wrong without any error.
func (r *rules) fits(question stat.Question, q *record.Query, d decision) error {
	largest := 0
	for _, path := range d.asked {
		largest = max(largest, len(common(r.patients[path], d.patients)))
	}
	epochs := int64((q.To - q.From) / record.WindowGrain)
	if err := stat.CheckFit(len(d.asked), largest, epochs, question.Selection()); err != nil {
		return policy("P0", "the sums could overflow: %v", err)
	}
	return nil
}
