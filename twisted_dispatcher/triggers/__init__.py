"""Trigger sessions: tasks that run after triggers have fired, in any order, weeks apart."""
