<broken>
