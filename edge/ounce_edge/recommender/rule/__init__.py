"""The decision: which plan answers which messages, and why.

`cells` sorts the messages. `decision` is the rule. `batches` says which calls it is made of and
when they end. `crowding` finds time where there is too little. `settling` says what a message gets
whose floor can't be kept. `late` says what is done for those that nothing answers in time.
`exploration` tries lighter plans. `explanation` says why.
"""
