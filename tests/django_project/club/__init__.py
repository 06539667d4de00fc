"""An application that makes events: a club, its members, and what they give."""
