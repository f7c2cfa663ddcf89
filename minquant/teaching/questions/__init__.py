"""The quiz questions of the lessons, one file a lesson: ``lesson_01.QUESTIONS`` and so on. See ``teaching.quizzes``."""
