"""`drumroll rollout`: see and steer the updates of Rollouts and of Deployments.

`parser.py` says what may be typed. What is shown is made by functions from objects to lines (`view.py`, `tree.py`,
`header.py`); what is asked of the API is in `changes.py`, in the very requests that Argo's own plugin sends.
"""
